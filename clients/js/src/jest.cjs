// Jest's testEnvironment: sets DATABASE_URL before a test file and its modules load, and rewinds after each test.
const { TestEnvironment } = require('jest-environment-node');
const { Worker, CURRENT } = require('./worker.cjs');

module.exports = class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    this.folder = config.projectConfig.rootDir;
  }

  async setup() {
    await super.setup();
    this.worker = await Worker.of(`jest${process.env.JEST_WORKER_ID ?? ''}`, this.folder);
    this.global.process.env[this.worker.config.env] = this.worker.url;
    this.global[CURRENT] = this.worker;
    await this.worker.start();
  }

  async teardown() {
    await this.worker?.end();
    await super.teardown();
  }

  /** A failed test's database is kept before its afterEach hooks, and its error tells of it. */
  async handleTestEvent(event) {
    if (event.name === 'test_fn_failure' || event.name === 'hook_failure') {
      await this.keep(event.test, event.error);
    } else if (event.name === 'test_done') {
      await this.worker.renew();
    }
  }

  async keep(test, error) {
    if (!test) return; // beforeAll, afterAll
    for (const database of [this.worker, ...this.worker.clones]) {
      const report = await this.worker.keep(nameOf(test), database);
      if (report) tell(error, report);
    }
  }
};

const nameOf = (test) => (test.parent ? `${nameOf(test.parent)} ` : '').replace('ROOT_DESCRIBE_BLOCK ', '') + test.name;

/** Jest prints an error's stack, which begins with its message. */
function tell(error, report) {
  if (!(error?.message && error.stack)) {
    console.error(report);
    return;
  }
  const { message, stack } = error;
  error.message = `${message}\n\n${report}`;
  error.stack = stack.includes(message) ? stack.replace(message, () => error.message) : `${report}\n${stack}`;
}
