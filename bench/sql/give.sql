SELECT testpool.release();
