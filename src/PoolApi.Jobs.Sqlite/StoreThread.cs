namespace PoolApi.Jobs.Sqlite;

/// <summary>A thread of the store: it opens its connection, works until its inbox is closed and empty, and closes the connection.</summary>
/// <remarks>
/// SQLite blocks, whatever its asynchronous interface is called: so it has threads of its own, and the ThreadPool's are left alone.
/// </remarks>
internal sealed class StoreThread
{
    private readonly TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Thread _thread;

    /// <param name="name">Its name.</param>
    /// <param name="open">Opens; what it throws is <see cref="Opened"/>'s.</param>
    /// <param name="work">Works to the end.</param>
    public StoreThread(string name, Func<IDisposable> open, Action work) =>
        _thread = new Thread(() => Run(open, work)) { Name = name, IsBackground = true };

    /// <summary>It has opened.</summary>
    public Task Opened => _opened.Task;

    public void Start() => _thread.UnsafeStart();

    /// <summary>Completes when the thread has ended.</summary>
    public async Task JoinAsync()
    {
        await _ended.Task;
        _thread.Join(); // it is at its last line
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
            // Told to whoever opens.
        }
        finally
        {
            _ended.SetResult();
        }
    }
}
