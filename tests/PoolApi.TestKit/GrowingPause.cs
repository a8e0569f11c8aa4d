namespace PoolApi.TestKit;

/// <summary>The pause between two looks at something that gives no signal. The longer it takes, the less a later look matters: each is a tenth longer.</summary>
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
