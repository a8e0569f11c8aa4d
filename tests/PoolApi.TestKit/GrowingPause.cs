namespace PoolApi.TestKit;

/// <summary>The pause between two polls of a condition that gives no signal. Each is a tenth longer, since the end of a long wait matters less.</summary>
internal struct GrowingPause(TimeSpan shortest, TimeSpan longest)
{
    private TimeSpan _next = shortest;

    /// <summary>Waits for one pause.</summary>
    public Task PassAsync(CancellationToken cancellation = default)
    {
        TimeSpan pause = _next;
        if (_next < longest) _next *= 1.1;
        return Task.Delay(pause, cancellation);
    }
}
