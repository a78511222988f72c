import { afterAll, expect, test } from 'vitest';
import * as shop from './shop.js';

afterAll(shop.close);

test('fails on purpose', async () => {
  await shop.add('evidence');
  expect(await shop.names()).toEqual(['apple']);
});
