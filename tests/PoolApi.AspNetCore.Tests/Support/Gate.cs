namespace PoolApi.AspNetCore.Tests.Support;

/// <summary>Holds whoever passes until it is opened, and tells when somebody has come.</summary>
internal sealed class Gate : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly SemaphoreSlim _arrived = new(0);
    private readonly ManualResetEventSlim _open = new();

    /// <summary>Blocks the calling thread, as blocking work does.</summary>
    public string Pass(CancellationToken cancellation = default)
    {
        _arrived.Release();
        Assert.True(_open.Wait(Patience, cancellation), "the gate was never opened");
        return "passed";
    }

    /// <summary>Completes once for each arrival.</summary>
    public async Task Arrival() => Assert.True(await _arrived.WaitAsync(Patience, TestApp.Token), "nobody came");

    public void Open() => _open.Set();

    public void Dispose()
    {
        _open.Set();
    }
}
