namespace PoolApi.PoolBenchmarks.Peers;

/// <summary><see cref="Task.Run(Action)"/>: the .NET ThreadPool as most code uses it, without a bound.</summary>
internal sealed class TaskRunPeer : DelegatePeer
{
    // The caller is not a ThreadPool thread, so its wait cannot run the task inline: the task is in the ThreadPool's global
    // queue, and only a ThreadPool thread can do that, with tasks of its local queue.
    public override int Call(Func<int> work) => Task.Run(work).GetAwaiter().GetResult();

    public override void Dispose() { }

    protected override void Post(Action work, int count)
    {
        for (int i = 0; i < count; i++) _ = Task.Run(work);
    }
}
