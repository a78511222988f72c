// Vitest's globalSetup: what all workers of a run have in common.
import { randomBytes } from 'node:crypto';

export default function () {
  process.env.TESTPOOL_RUN ||= randomBytes(4).toString('hex');
}
