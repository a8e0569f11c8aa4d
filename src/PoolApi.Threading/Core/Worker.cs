namespace PoolApi.Threading.Core;

/// <summary>One dedicated thread: takes what the pool has, runs it, and sleeps when there is nothing.</summary>
internal sealed class Worker(PoolCore core, int id, string name)
{
    [ThreadStatic]
    private static Worker? s_current;

    private readonly ThreadParker _parker = new();
    private Thread? _thread;

    // Guarded by the pool's gate.
    internal Worker? NextIdle;
    internal bool IsWaking; // taken off the idle stack to find work, and not there yet
    internal bool HasExited;
    internal PoolWorkItem? Item;
    internal long ItemSince;
    internal long BusyTicks;
    internal long Completed;
    internal long Failed;
    internal long Finished;

    public int Id => id;

    public string Name => name;

    public PoolCore Core => core;

    /// <summary>The worker that the calling thread is, if it is one.</summary>
    public static Worker? Current => s_current;

    public void Start()
    {
        // Background, so that a stuck one cannot keep the process alive; the pool joins it explicitly. UnsafeStart: the
        // context of whoever makes the pool is nobody's business here.
        _thread = new Thread(ThreadMain) { IsBackground = true, Name = name };
        _thread.UnsafeStart();
    }

    public void Wake() => _parker.Unpark();

    /// <summary>Waits for the thread's end. Called when its loop is about to end, so the wait is a moment.</summary>
    public bool Join(TimeSpan timeout) => _thread is null || _thread.Join(timeout);

    private void ThreadMain()
    {
        s_current = this;
        try
        {
            Loop();
        }
        catch (Exception e)
        {
            core.WorkerDied(this, e);
        }
    }

    /// <summary>Leaves only when the pool says stop.</summary>
    private void Loop()
    {
        ExecutionContext? clean = ExecutionContext.Capture();
        while (true)
        {
            switch (core.Next(this, out Assignment assignment))
            {
                case NextStep.Run:
                    Run(assignment);
                    // An item's context (its culture, its AsyncLocals) must not leak into the next.
                    SynchronizationContext.SetSynchronizationContext(null);
                    if (clean is not null) ExecutionContext.Restore(clean);
                    break;
                case NextStep.Park:
                    _parker.Park();
                    break;
                default:
                    return;
            }
        }
    }

    private void Run(in Assignment assignment)
    {
        PoolWorkItem item = assignment.Item;
        if (assignment.Callback is null)
        {
            core.Started(this, item);
            item.Start(core, this);
        }
        else
        {
            try
            {
                item.Resume(assignment.Callback, assignment.State);
            }
            catch (Exception e)
            {
                // The continuations of Tasks do not throw; this comes from an async void method inside the item.
                core.Unhandled(item, e);
            }
        }
        core.Release(this);
    }
}

/// <summary>What a worker is to run: the item itself, or a continuation of it.</summary>
internal readonly record struct Assignment(PoolWorkItem Item, SendOrPostCallback? Callback, object? State);

/// <summary>What a worker is to do next.</summary>
internal enum NextStep
{
    Run,
    Park,
    Exit,
}
