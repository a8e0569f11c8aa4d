namespace PoolApi.TestKit;

/// <summary>The lines a process has written so far, and a way to wait for one that is still to come.</summary>
public sealed class LineLog
{
    private readonly Lock _gate = new();
    private readonly List<string> _lines = [];
    private readonly List<(Func<string, bool> Matches, TaskCompletionSource<string> Found)> _waiters = [];
    private bool _complete;

    /// <summary>What has been written until now.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_gate)
                return [.. _lines];
        }
    }

    /// <summary>Takes a line and wakes whoever waits for it.</summary>
    public void Add(string line)
    {
        lock (_gate)
        {
            _lines.Add(line);
            _waiters.RemoveAll(waiter => waiter.Matches(line) && waiter.Found.TrySetResult(line));
        }
    }

    /// <summary>Nothing more will come: fails those who still wait, at once and not after their time-out.</summary>
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

    /// <summary>The first line, written already or yet to come, that matches.</summary>
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
