namespace PoolApi.TestKit;

/// <summary>Holds work until the test opens it, and tells how much work has come.</summary>
/// <param name="passed">What work that passes returns.</param>
public class WorkGate<T>(T passed) : IDisposable
{
    private readonly ManualResetEventSlim _open = new();
    private readonly SemaphoreSlim _arrivals = new(0);
    private int _arrived;
    private int _awaited;

    /// <summary>How much work has come.</summary>
    public int Arrived => Volatile.Read(ref _arrived);

    /// <summary>Blocks the calling thread, as blocking work does.</summary>
    public T Pass(CancellationToken cancellation = default)
    {
        Interlocked.Increment(ref _arrived);
        _arrivals.Release();
        // Longer than any test waits for what must happen meanwhile.
        if (!_open.Wait(Patience.Long * 5, cancellation)) throw new TimeoutException("The gate did not open.");
        return passed;
    }

    /// <summary>Waits for one arrival more than the last wait did.</summary>
    public Task NextArrivalAsync() => ArrivalAsync(_awaited + 1);

    /// <summary>Waits until so much work has come in all.</summary>
    public async Task ArrivalAsync(int count = 1)
    {
        while (_awaited < count)
        {
            if (!await _arrivals.WaitAsync(Patience.Long, Patience.Token)) throw new TimeoutException($"{_awaited} of {count} came to the gate.");
            _awaited++;
        }
    }

    public void Open() => _open.Set();

    /// <summary>Opens it: work that is held ends, whatever became of the test.</summary>
    public void Dispose()
    {
        _open.Set();
        GC.SuppressFinalize(this);
    }
}

/// <summary>A gate for work whose result is text.</summary>
public sealed class Gate() : WorkGate<string>("passed");
