namespace PoolApi.Jobs;

/// <summary>
/// A disposal that several callers may ask for, at the same time too: whoever stops the app, and the container that made the object.
/// It happens once, and every caller waits for its end.
/// </summary>
internal sealed class Disposal
{
    private readonly Lazy<Task> _once;
    private volatile bool _hasBegun;

    /// <param name="dispose">What is done once.</param>
    public Disposal(Func<Task> dispose) => _once = new Lazy<Task>(dispose);

    /// <summary>Whether a caller has asked for it.</summary>
    public bool HasBegun => _hasBegun;

    /// <summary>Does it, or waits for the caller that does.</summary>
    public ValueTask RunAsync()
    {
        _hasBegun = true;
        return new ValueTask(_once.Value);
    }
}
