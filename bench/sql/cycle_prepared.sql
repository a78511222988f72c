SELECT testpool.acquire('bench') AS db \gset
SELECT testpool.release(:db);
