namespace PoolApi.TestKit;

/// <summary>Blocks work until the test opens the gate, and counts the work that arrives.</summary>
/// <param name="passed">The result of work that passes the gate.</param>
public class WorkGate<T>(T passed) : IDisposable
{
    private readonly ManualResetEventSlim _open = new();
    private readonly SemaphoreSlim _arrivals = new(0);
    private int _arrived;
    private int _awaited;

    /// <summary>How much work has arrived.</summary>
    public int Arrived => Volatile.Read(ref _arrived);

    /// <summary>Blocks the calling thread, as blocking work does.</summary>
    public T Pass(CancellationToken cancellation = default)
    {
        Interlocked.Increment(ref _arrived);
        _arrivals.Release();
        // Longer than any test waits while its gate is closed.
        if (!_open.Wait(Patience.Long * 5, cancellation)) throw new TimeoutException("The gate did not open.");
        return passed;
    }

    /// <summary>Waits for the next arrival after those that earlier waits have seen.</summary>
    public Task NextArrivalAsync() => ArrivalAsync(_awaited + 1);

    /// <summary>Waits until the total number of arrivals is at least the given one.</summary>
    public async Task ArrivalAsync(int count = 1)
    {
        while (_awaited < count)
        {
            if (!await _arrivals.WaitAsync(Patience.Long, Patience.Token)) throw new TimeoutException($"{_awaited} of {count} arrived at the gate.");
            _awaited++;
        }
    }

    public void Open() => _open.Set();

    /// <summary>Opens the gate, so that blocked work ends even if the test has failed.</summary>
    public void Dispose()
    {
        _open.Set();
        GC.SuppressFinalize(this);
    }
}

/// <summary>A gate for work whose result is text.</summary>
public sealed class Gate() : WorkGate<string>("passed");
