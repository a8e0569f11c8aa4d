namespace PoolApi.Jobs.Sqlite;

/// <summary>A thread of the store. It opens its connection, runs operations until its inbox is closed and empty, and closes the connection.</summary>
/// <remarks>
/// SQLite's calls block, also its asynchronous ones. Own threads keep them off the ThreadPool.
/// </remarks>
internal sealed class StoreThread
{
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;

    /// <param name="name">Its name.</param>
    /// <param name="open">Opens the connection. Its exception fails <see cref="Opened"/>.</param>
    /// <param name="work">Runs until the inbox is closed and empty.</param>
    public StoreThread(string name, Func<IDisposable> open, Action work) =>
        _thread = new Thread(() => Run(open, work)) { Name = name, IsBackground = true };

    /// <summary>Completes when the connection is open.</summary>
    public Task Opened => _opened.Task;

    public void Start() => _thread.UnsafeStart();

    /// <summary>Completes when the thread has ended.</summary>
    public async Task JoinAsync()
    {
        await _ended.Task;
        _thread.Join(); // the thread is at its last line
    }

    private void Run(Func<IDisposable> open, Action work)
    {
        try
        {
            using IDisposable opened = open();
            _opened.SetResult();
            work();
        }
        catch (Exception e) when (_opened.TrySetException(e))
        {
            // Passed to the caller that waits for Opened.
        }
        finally
        {
            _ended.SetResult();
        }
    }
}
