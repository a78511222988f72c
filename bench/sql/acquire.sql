SELECT testpool.acquire('bench');
