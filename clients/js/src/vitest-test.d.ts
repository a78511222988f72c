import type { TestAPI } from 'vitest';
import type { Database } from './index.js';

/** Vitest's test with a fixture `database`: a clone of the test's own. */
export const test: TestAPI<{ database: Database }>;
