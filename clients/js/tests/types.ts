import { acquire, rewind, url, type Config } from 'testpool';
import { test } from 'testpool/vitest/test';

export const config: Config = { migrate: async (url) => url.length, files: ['schema'] };
test('x', async ({ database }) => {
  const text: string = database.url + url() + (await acquire()).name;
  await rewind();
  // @ts-expect-error: it cannot be set
  database.url = text;
});
