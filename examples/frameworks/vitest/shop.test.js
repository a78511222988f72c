import { afterAll, expect, test } from 'vitest';
import * as shop from './shop.js';

afterAll(shop.close);

test.each(['pear', 'plum', 'fig', 'date'])('finds the template and its own rows: %s', async (name) => {
  await shop.add(name);
  await shop.add('shared');
  expect(await shop.names()).toEqual(['apple', name, 'shared']);
});
