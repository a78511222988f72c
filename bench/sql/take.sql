SELECT testpool.acquire();
