using PoolApi.Jobs.Running;

namespace PoolApi.Jobs.Tests;

/// <summary>Holds scripted work until the test lets it go on.</summary>
internal sealed class Gate : IDisposable
{
    private readonly ManualResetEventSlim _open = new();
    private int _arrived;

    public int Arrived => Volatile.Read(ref _arrived);

    /// <summary>Waits at the gate, on a worker; ends early if the attempt is to stop.</summary>
    public JobAttempt Pass(CancellationToken cancellation = default)
    {
        Interlocked.Increment(ref _arrived);
        // Longer than any test waits for what must happen meanwhile.
        if (!_open.Wait(Patience.Long * 5, cancellation)) throw new TimeoutException("The gate did not open.");
        return ScriptedExecutor.Success;
    }

    public Task ArrivalAsync(int count = 1) => Patience.UntilAsync(() => Arrived >= count, $"The arrival of {count}");

    public void Open() => _open.Set();

    public void Dispose()
    {
        _open.Set();
        _open.Dispose();
    }
}
