namespace PoolApi.Jobs.PostgreSql;

/// <summary>
/// Combines the items of concurrent callers into batches, each of one round trip and one flush of the database's log. While all lanes are busy, new items
/// collect for the next batch. A lane that is free starts at once, without a timer.
/// </summary>
/// <remarks>Thread-safe. Refuses items after <see cref="DisposeAsync"/>.</remarks>
/// <param name="run">Runs a batch and returns one result for each item, in order. If it throws, all callers of the batch fail.</param>
/// <param name="lanes">The number of batches that run concurrently.</param>
/// <param name="maxItems">The maximum number of items in a batch.</param>
/// <param name="maxWeight">
/// The maximum total weight of a batch. An item of more than a quarter of it runs alone, beside the lanes. The number of such items that run concurrently is also
/// limited to that of the lanes, because more would slow each other down until all time out.
/// </param>
internal sealed class Batcher<TItem, TResult>(
    Func<IReadOnlyList<TItem>, Task<TResult[]>> run, int lanes, int maxItems, long maxWeight) : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly Queue<Entry> _waiting = new();
    private readonly Queue<Entry> _heavy = new();
    private readonly HashSet<Task> _running = [];
    private int _busy; // lanes
    private int _busyHeavy;
    private bool _isClosed;

    /// <summary>Runs an item with the next batch.</summary>
    /// <param name="item">The item.</param>
    /// <param name="cancellation">Removes the item while it is queued. A cancellation has no effect once the item's batch runs.</param>
    /// <param name="weight">Its weight.</param>
    public async ValueTask<TResult> AddAsync(TItem item, CancellationToken cancellation, long weight = 0)
    {
        cancellation.ThrowIfCancellationRequested();
        var entry = new Entry(item, weight);
        Add(entry);
        await using CancellationTokenRegistration registration = cancellation.UnsafeRegister(
            static (e, token) => ((Entry)e!).Cancel(token), entry);
        return await entry.Task;
    }

    private void Add(Entry entry)
    {
        lock (_lock)
        {
            if (_isClosed) throw new JobStoreUnavailableException("The job store is closed.");
            if (entry.Weight > maxWeight / 4)
            {
                _heavy.Enqueue(entry);
                if (_busyHeavy < lanes)
                {
                    _busyHeavy++;
                    Start(HeavyLaneAsync);
                }
            }
            else
            {
                _waiting.Enqueue(entry);
                if (_busy < lanes)
                {
                    _busy++;
                    Start(LaneAsync);
                }
            }
        }
    }

    /// <summary>Refuses further items, and waits for all that were accepted.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] running;
        lock (_lock)
        {
            _isClosed = true;
            running = [.. _running];
        }
        await Task.WhenAll(running);
    }

    /// <summary>Starts a lane. The lock is held.</summary>
    private void Start(Func<Task> lane)
    {
        Task task;
        // A batch serves many callers, so it belongs to no caller's trace.
        using (ExecutionContext.SuppressFlow()) task = lane();
        _running.Add(task);
        _ = task.ContinueWith(Forget, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private void Forget(Task task)
    {
        lock (_lock) _running.Remove(task);
    }

    /// <summary>Runs heavy items one after another.</summary>
    private async Task HeavyLaneAsync()
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        while (true)
        {
            Entry? entry;
            lock (_lock)
            {
                while (_heavy.TryDequeue(out entry) && !entry.TryTake())
                {
                }
                if (entry is null)
                {
                    _busyHeavy--;
                    return;
                }
            }
            await RunAsync([entry]);
        }
    }

    private async Task LaneAsync()
    {
        while (true)
        {
            // Callers whose batch has just ended get the chance to join this batch with their next item.
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            Entry[] batch;
            lock (_lock)
            {
                if (_waiting.Count == 0)
                {
                    _busy--;
                    return;
                }
                batch = Take();
            }
            if (batch.Length > 0) await RunAsync(batch);
        }
    }

    private Entry[] Take()
    {
        var batch = new List<Entry>(Math.Min(_waiting.Count, maxItems));
        long weight = 0;
        while (batch.Count < maxItems && _waiting.TryPeek(out Entry? next))
        {
            if (batch.Count > 0 && weight + next.Weight > maxWeight) break;
            _waiting.Dequeue();
            if (!next.TryTake()) continue;
            weight += next.Weight;
            batch.Add(next);
        }
        return [.. batch];
    }

    private async Task RunAsync(Entry[] batch)
    {
        TResult[] results;
        try
        {
            results = await run(Array.ConvertAll(batch, static e => e.Item));
        }
        catch (JobStoreRefusedException) when (batch.Length > 1)
        {
            // The database cannot store one of the items. Each runs alone, so that only that one fails.
            foreach (Entry entry in batch) await RunAsync([entry]);
            return;
        }
        catch (Exception e)
        {
            foreach (Entry entry in batch) entry.Fail(e);
            return;
        }
        for (int i = 0; i < batch.Length; i++) batch[i].Complete(results[i]);
    }

    private sealed class Entry(TItem item, long weight)
    {
        private readonly TaskCompletionSource<TResult> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        private int _isTaken; // taken into a batch, or cancelled

        public TItem Item => item;

        public long Weight => weight;

        public Task<TResult> Task => _done.Task;

        public bool TryTake() => Interlocked.Exchange(ref _isTaken, 1) == 0;

        public void Cancel(CancellationToken token)
        {
            if (TryTake()) _done.TrySetCanceled(token);
        }

        public void Complete(TResult result) => _done.TrySetResult(result);

        public void Fail(Exception e) => _done.TrySetException(e);
    }
}
