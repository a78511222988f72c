export interface Database {
  readonly name: string;
  readonly url: string;
}

/** The URL of the database that this process's tests use one after the other. */
export function url(): string;

/** One more database for the test that runs, of the same template. It goes back when the test ends. */
export function acquire(): Promise<Database>;

/** Makes the process's database as the template in the middle of a test; connections stay. */
export function rewind(): Promise<void>;

/** What testpool.config.js exports, or "testpool" in package.json. */
export interface Config {
  /** A folder of .sql files, or a file. */
  migrations?: string;
  /** Instead of it: a shell command that is run with DATABASE_URL set, or a function. */
  migrate?: string | ((url: string) => Promise<unknown>);
  /** Files and folders that `migrate` reads: the template is built again when they change. */
  files?: string[];
  /** What the template's name begins with; default: the package's name. */
  project?: string;
  /** The variable that the application reads; default: DATABASE_URL. */
  env?: string;
}
