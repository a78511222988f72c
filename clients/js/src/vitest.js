// Vitest's setupFiles: sets DATABASE_URL before a test file and its modules load, and rewinds after each test.
import { afterAll, afterEach } from 'vitest';
import module from './worker.cjs';

const worker = await module.Worker.of(`vitest${process.env.VITEST_POOL_ID ?? ''}`);
process.env[worker.config.env] = worker.url;
globalThis[module.CURRENT] = worker;
await worker.start();

/** Keeps a failed test's database; the test's error tells where it is. */
worker.keepFor = async function (task, database) {
  if (task.result?.state !== 'fail') return;
  const report = await worker.keep(`${task.file.name} > ${task.name}`, database);
  const error = task.result.errors?.at(-1);
  if (report && error) error.message += `\n\n${report}`;
};

afterEach(async ({ task }) => {
  for (const database of [worker, ...worker.clones]) await worker.keepFor(task, database);
  await worker.renew();
});

afterAll(() => worker.end());
