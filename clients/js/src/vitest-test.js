import { test as base } from 'vitest';
import module from './worker.cjs';

/** Vitest's test with a fixture `database`: a clone of the test's own, for tests that run concurrently. */
export const test = base.extend({
  database: async ({ task }, use) => {
    const worker = globalThis[module.CURRENT];
    const clone = await worker.acquire();
    await use(clone);
    await worker.keepFor(task, clone);
    await worker.release(clone);
  },
});
