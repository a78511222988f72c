export default { test: { globalSetup: 'testpool/vitest/run', setupFiles: ['testpool/vitest'] } };
