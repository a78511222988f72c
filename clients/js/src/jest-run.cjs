// Jest's globalSetup: what all workers of a run have in common.
module.exports = async function () {
  process.env.TESTPOOL_RUN ||= require('node:crypto').randomBytes(4).toString('hex');
};
