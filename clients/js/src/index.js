import worker from './worker.cjs';

function current() {
  const found = globalThis[worker.CURRENT];
  if (!found) throw new Error('testpool: no test runs: see setupFiles (Vitest) or testEnvironment (Jest) in the README');
  return found;
}

/** The URL of the database that this process's tests use one after the other. */
export const url = () => current().url;

/** One more database for the test that runs, of the same template. */
export const acquire = () => current().acquireForTest();

/** Makes the process's database as the template in the middle of a test; connections stay. */
export const rewind = () => current().rewind();
