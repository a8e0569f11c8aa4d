using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Core;

/// <summary>One dedicated thread: takes items from the pool, runs them, and sleeps when there are none.</summary>
/// <remarks>
/// If the thread dies, another takes its place as the same worker: same id, same name, same counts.
/// </remarks>
internal sealed class Worker(PoolCore core, int id, string name) : QueueWorker
{
    [ThreadStatic]
    private static Worker? s_current;

    private readonly object _starting = new();
    private Thread? _thread;
    private object? _state;
    private readonly long _worthMeasuring = core.Clock.Microseconds(10);
    private readonly long _worthForgetting = core.Clock.Microseconds(100);
    private int _samples;
    private int _threadId;
    private WorkerRecorder? _recorder;

    /// <summary>The start of the item it was found stuck on; 0: none. Written by the watch, cleared by the worker itself.</summary>
    internal long StuckSince;

    /// <summary>Whether the observer knows that the worker is stuck, and not yet of its recovery. Guarded by the worker set's lock, as the next.</summary>
    internal bool IsReportedStuck { get; set; }

    /// <summary>Whether a thread is notifying the observer of the worker's health.</summary>
    internal bool IsBeingReported { get; set; }

    /// <summary>Whether its items are so tiny that it takes them in local batches and records their measurements in batches.</summary>
    internal bool HasTinyItems { get; set; }

    internal MeasurementBatch Measured { get; } = new();

    /// <summary>The worker's recorder. Created at the first use, by the worker or by a reader.</summary>
    internal WorkerRecorder Recorder => Volatile.Read(ref _recorder)
        ?? Interlocked.CompareExchange(ref _recorder, new WorkerRecorder(core, Ledger), null) ?? _recorder;

    /// <summary>The operating system's id of its thread; 0 if there is none yet, or on other systems than Linux.</summary>
    internal int ThreadId => Volatile.Read(ref _threadId);

    public int Id => id;

    public string Name => name;

    public PoolCore Core => core;

    /// <summary>Whether its thread is in a managed wait; out of date as soon as it is read.</summary>
    internal bool IsLikelyBlocked => Volatile.Read(ref _thread) is { } thread && (thread.ThreadState & ThreadState.WaitSleepJoin) != 0;

    /// <summary>The worker that the calling thread is, if it is one.</summary>
    public static Worker? Current => s_current;

    /// <summary>The state that <see cref="FixedThreadPoolOptions.CreateWorkerState"/> created on this worker's thread.</summary>
    public object? State => _state;

    /// <summary>Starts a thread for it. Called by one thread at a time: at the pool's start, a resize, or the end of the thread before.</summary>
    /// <param name="ready">Completes when the thread is ready to work, or fails with the reason why it is not; null: no caller waits.</param>
    public void Start(TaskCompletionSource? ready = null)
    {
        // Background, so that a stuck one cannot keep the process alive; the pool joins it explicitly. UnsafeStart: the
        // execution context of the pool's creator must not flow to the workers.
        var thread = new Thread(() => ThreadMain(ready)) { IsBackground = true, Name = name };
        using (new UninterruptibleLock(_starting))
        {
            core.Workers.ThreadStarts();
            try
            {
                core.Workers.StartThread(thread);
            }
            catch
            {
                core.Workers.ThreadEnds();
                throw;
            }
            Volatile.Write(ref _thread, thread); // after the start, because a thread that has not started cannot be joined
        }
    }

    /// <summary>Waits for the thread's end. Called when its loop is about to end, so the wait is a moment.</summary>
    public bool Join(TimeSpan timeout)
    {
        Thread? thread;
        using (new UninterruptibleLock(_starting)) thread = _thread;
        return thread is null || thread.Join(timeout);
    }

    private void ThreadMain(TaskCompletionSource? ready)
    {
        s_current = this;
        try
        {
            Volatile.Write(ref _threadId, ThreadIds.OfCurrent());
            if (core.Workers.Nice is { } nice) ThreadPriorities.SetNice(nice);
            _state = core.Workers.CreateState?.Invoke(id);
        }
        catch (Exception e)
        {
            core.Workers.FailedToStart(this, e, ready);
            core.Workers.ThreadEnds();
            return;
        }
        ready?.TrySetResult();

        Exception? death = null;
        try
        {
            Loop();
        }
        catch (Exception e)
        {
            death = e;
        }
        if (death is not null) core.Workers.EndItemInHand(this, death);
        DisposeState();
        if (death is not null) core.Workers.Replace(this, death);
        core.Workers.ThreadEnds();
    }

    /// <summary>The worker's last clock reading: at the end of an item, after code of callers, or after a spin or a sleep.</summary>
    internal long LastStamp { get; set; }

    /// <summary>Whether <see cref="LastStamp"/> is precise. If not, it comes from the coarse clock.</summary>
    internal bool LastStampIsPrecise { get; set; }

    /// <summary>The run time of its last item; 0 if it was not measured.</summary>
    internal long LastTook { get; set; }

    /// <summary>Whether its current item is measured.</summary>
    internal bool IsTimed { get; set; }

    /// <summary>
    /// Whether the worker measures an item that did not ask for it, to keep the estimates current: one item in sixteen, or every item if the
    /// mean run time is so long that the cost does not matter, or if the clock has precise reads only.
    /// </summary>
    internal bool IsSample() => (_samples++ & 15) == 0 || !core.Clock.HasCoarse || Ledger.MeanTicks > _worthMeasuring;

    /// <summary>
    /// Runs until the pool returns <see cref="NextStep.Exit"/>. The loop usually reads the clock once for each item, because the end of an item
    /// is the start of the next item that is already queued.
    /// </summary>
    private void Loop()
    {
        ExecutionContext? clean = ExecutionContext.Capture();
        long now = Stamp();
        while (true)
        {
            switch (core.Next(this, now, out Assignment assignment))
            {
                case NextStep.Run:
                    Run(assignment);
                    // An item's execution context (its culture, its AsyncLocals) must not leak into the next item.
                    if (SynchronizationContext.Current is not null) SynchronizationContext.SetSynchronizationContext(null);
                    if (!ReferenceEquals(ExecutionContext.Capture(), clean)) ExecutionContext.Restore(clean!);
                    // ForgetInterrupt costs a quarter of a microsecond, too much after a tiny item.
                    if (LastTook > _worthForgetting) ForgetInterrupt();
                    now = LastStamp;
                    break;
                case NextStep.Spin:
                    core.Spin();
                    now = Stamp();
                    break;
                case NextStep.Again:
                    now = Stamp();
                    break;
                case NextStep.Sleep:
                    core.Idle.Notify();
                    WorkQueue<ProcessorOps>.Sleep(this);
                    ForgetInterrupt();
                    now = Stamp();
                    break;
                default:
                    core.Idle.Notify(); // after the ledger shows that it is idle
                    return;
            }
        }
    }

    /// <summary>
    /// Reads the clock at the start of the loop, after code of callers, and after a spin or a sleep. The reading is precise, because the busy time begins here if there
    /// is work, and the coarse clock may be 20 ms behind.
    /// </summary>
    private long Stamp()
    {
        LastStampIsPrecise = true;
        return LastStamp = core.Clock.Now;
    }

    private void Run(in Assignment assignment)
    {
        PoolWorkItem item = assignment.Item;
        if (assignment.Callback is null)
        {
            core.Observers.Started(this, item);
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
                core.Observers.Unhandled(item, e);
            }
        }
        // The end of a synchronous item has released the worker, and the item may be submitted again by now.
        core.Async.Release(this);
    }

    /// <summary>
    /// Consumes a late <see cref="Thread.Interrupt"/> that was meant for an item that has ended, or for an uninterruptible sleep. It must
    /// not strike the next item. Only a wait consumes an interrupt; this one ends at once.
    /// </summary>
    private static void ForgetInterrupt()
    {
        try
        {
            Thread.CurrentThread.Join(0);
        }
        catch (ThreadInterruptedException)
        {
            // The exception has consumed the interrupt.
        }
    }

    private void DisposeState()
    {
        object? state = _state;
        _state = null;
        try
        {
            (state as IDisposable)?.Dispose();
        }
        catch (Exception e)
        {
            core.Observers.WorkerStateFailed(this, e);
        }
    }
}
