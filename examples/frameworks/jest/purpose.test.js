const shop = require('./shop');

afterAll(shop.close);

test('fails on purpose', async () => {
  await shop.add('evidence');
  expect(await shop.names()).toEqual(['apple']);
});
