// A pool of Prisma, by its driver adapter for pg, that stays open over fifty rewinds.
import assert from 'node:assert';
import { PrismaPg } from '@prisma/adapter-pg';
import prisma from '@prisma/client';

const ddl = ["ALTER TYPE mood ADD VALUE 'mad'", "ALTER TABLE item ADD COLUMN more text DEFAULT 'x'", 'CREATE TABLE other (a int)',
  'TRUNCATE item', 'DROP TABLE item'];

const db = new prisma.PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL, max: 4 }) });
for (let round = 0; round < 50; round++) {
  await Promise.all(Array.from({ length: 20 }, (_, i) => db.item.create({ data: { name: `item ${i}` } })));
  assert.equal(await db.item.count({ where: { m: 'sad' } }), 120);
  await db.$executeRawUnsafe(ddl[round % ddl.length]);
  await db.$executeRawUnsafe('SET testpool.rewind = now');
  assert.equal((await db.item.aggregate({ _max: { id: true } }))._max.id, 100);
}
await db.$disconnect();
console.log('Prisma: 50 tests on one pool');
