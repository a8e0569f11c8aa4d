namespace PoolApi.Jobs;

/// <summary>
/// A disposal that runs once although several callers request it concurrently: the stop of the app, and the container that created the
/// object. Every caller waits for its end. Thread-safe.
/// </summary>
internal sealed class Disposal
{
    private readonly Lazy<Task> _once;
    private volatile bool _hasBegun;

    /// <summary>Creates the disposal without running it.</summary>
    /// <param name="dispose">The action that runs once.</param>
    public Disposal(Func<Task> dispose) => _once = new Lazy<Task>(dispose);

    /// <summary>Whether a caller has requested the disposal.</summary>
    public bool HasBegun => _hasBegun;

    /// <summary>Runs the disposal, or waits for the run that another caller has begun.</summary>
    public ValueTask RunAsync()
    {
        _hasBegun = true;
        return new ValueTask(_once.Value);
    }
}
