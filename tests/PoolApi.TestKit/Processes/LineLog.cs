namespace PoolApi.TestKit.Processes;

/// <summary>The lines that a process has written so far. A test can wait for a later line.</summary>
public sealed class LineLog
{
    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];
    private readonly List<(Func<string, bool> Matches, TaskCompletionSource<string> Found)> _waiters = [];
    private bool _complete;

    /// <summary>The lines so far.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_gate)
                return [.. _lines];
        }
    }

    /// <summary>Adds a line and completes the waits that it matches.</summary>
    public void Add(string line)
    {
        lock (_gate)
        {
            _lines.Add(line);
            _waiters.RemoveAll(waiter => waiter.Matches(line) && waiter.Found.TrySetResult(line));
        }
    }

    /// <summary>Marks the end of the output. Pending waits fail at once instead of after their timeout.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _complete = true;
            foreach (var (_, found) in _waiters)
                found.TrySetException(new InvalidOperationException("the process ended without writing the awaited line"));
            _waiters.Clear();
        }
    }

    /// <summary>Waits for the first line that matches, among those written already and later ones.</summary>
    public Task<string> WaitForAsync(Func<string, bool> matches, TimeSpan timeout)
    {
        lock (_gate)
        {
            if (_lines.FirstOrDefault(matches) is { } written)
                return Task.FromResult(written);
            if (_complete)
                throw new InvalidOperationException("the process ended without writing the awaited line");
            var found = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((matches, found));
            return found.Task.WaitAsync(timeout);
        }
    }

    /// <inheritdoc />
    public override string ToString() => string.Join('\n', Lines);
}
