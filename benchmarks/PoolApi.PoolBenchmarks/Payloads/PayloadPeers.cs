using System.Collections.Concurrent;
using System.Threading.Channels;
using Akka.Dispatch;
using PoolApi.PoolBenchmarks.Peers;

namespace PoolApi.PoolBenchmarks.Payloads;

/// <summary>Task.Run with a delegate that captures the payload: one object for both.</summary>
internal sealed class TaskRunPayloads : PayloadPeer
{
    public override void Dispose() { }

    protected override void Post(int count)
    {
        for (int i = 0; i < count; i++)
        {
            Payload payload = Payload.Of(i);
            _ = Task.Run(() => Run(payload));
        }
    }
}

/// <summary>The .NET ThreadPool at its cheapest: the item is the queue's own entry, made for each.</summary>
internal sealed class UnsafeQueuePayloads : PayloadPeer
{
    public override void Dispose() { }

    protected override void Post(int count)
    {
        for (int i = 0; i < count; i++) ThreadPool.UnsafeQueueUserWorkItem(new Item(this, Payload.Of(i)), preferLocal: false);
    }

    private sealed class Item(UnsafeQueuePayloads peer, in Payload payload) : IThreadPoolWorkItem
    {
        private readonly Payload _payload = payload;

        public void Execute() => peer.Run(_payload);
    }
}

/// <summary>The payload itself in a <see cref="BlockingCollection{T}"/>: nothing is made for an item.</summary>
internal sealed class BlockingCollectionPayloads : PayloadPeer
{
    private readonly BlockingCollection<Payload> _queue;
    private readonly DedicatedThreads _threads;

    public BlockingCollectionPayloads(int workers, int capacity)
    {
        _queue = new BlockingCollection<Payload>(capacity);
        _threads = new DedicatedThreads(workers, () => _queue.RunAll(payload => Run(payload)));
    }

    public override void Dispose()
    {
        _queue.CompleteAdding();
        _threads.Join();
        _queue.Dispose();
    }

    protected override void Post(int count)
    {
        for (int i = 0; i < count; i++) _queue.Add(Payload.Of(i));
    }
}

/// <summary>The payload itself in a bounded channel, on which threads block (<see cref="ChannelThreadsPeer"/>).</summary>
internal sealed class ChannelPayloads : PayloadPeer
{
    private readonly Channel<Payload> _queue;
    private readonly DedicatedThreads _threads;

    public ChannelPayloads(int workers, int capacity)
    {
        _queue = Channel.CreateBounded<Payload>(new BoundedChannelOptions(capacity) { AllowSynchronousContinuations = true });
        _threads = new DedicatedThreads(workers, RunAll);
    }

    public override void Dispose()
    {
        _queue.Writer.Complete();
        _threads.Join();
    }

    protected override void Post(int count)
    {
        ChannelWriter<Payload> writer = _queue.Writer;
        for (int i = 0; i < count; i++)
        {
            Payload payload = Payload.Of(i);
            if (!writer.TryWrite(payload)) writer.WriteAsync(payload).AsTask().GetAwaiter().GetResult();
        }
    }

    private void RunAll()
    {
        ChannelReader<Payload> reader = _queue.Reader;
        do
        {
            while (reader.TryRead(out Payload payload)) Run(payload);
        }
        while (reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult());
    }
}

/// <summary>The payload itself in a bounded channel, on which asynchronous loops wait (<see cref="ChannelTasksPeer"/>).</summary>
internal sealed class ChannelTasksPayloads : PayloadPeer
{
    private readonly Channel<Payload> _queue;
    private readonly Task[] _loops;

    public ChannelTasksPayloads(int workers, int capacity)
    {
        _queue = Channel.CreateBounded<Payload>(capacity);
        _loops = new Task[workers];
        for (int i = 0; i < workers; i++) _loops[i] = Task.Run(RunAllAsync);
    }

    public override void Dispose()
    {
        _queue.Writer.Complete();
        Task.WaitAll(_loops);
    }

    protected override void Post(int count)
    {
        ChannelWriter<Payload> writer = _queue.Writer;
        for (int i = 0; i < count; i++)
        {
            Payload payload = Payload.Of(i);
            if (!writer.TryWrite(payload)) writer.WriteAsync(payload).AsTask().GetAwaiter().GetResult();
        }
    }

    private async Task RunAllAsync()
    {
        ChannelReader<Payload> reader = _queue.Reader;
        do
        {
            while (reader.TryRead(out Payload payload)) Run(payload);
        }
        while (await reader.WaitToReadAsync());
    }
}

/// <summary>Akka's dispatcher: the item is what it runs, made for each.</summary>
internal sealed class AkkaPayloads(int workers) : PayloadPeer
{
    private readonly AkkaDispatcher _dispatcher = new(workers);

    public override void Dispose() => _dispatcher.Dispose();

    protected override void Post(int count)
    {
        for (int i = 0; i < count; i++) _dispatcher.Schedule(new Item(this, Payload.Of(i)));
    }

    private sealed class Item(AkkaPayloads peer, in Payload payload) : IRunnable
    {
        private readonly Payload _payload = payload;

        public void Run() => peer.Run(_payload);

        public void Execute() => Run();
    }
}

/// <summary>The payload itself in a queue under one monitor: nothing is made for an item.</summary>
internal sealed class MonitorQueuePayloads : PayloadPeer
{
    private readonly MonitorQueue<Payload> _queue = new();
    private readonly DedicatedThreads _threads;

    public MonitorQueuePayloads(int workers) => _threads = new DedicatedThreads(workers, RunAll);

    public override void Dispose()
    {
        _queue.Close();
        _threads.Join();
    }

    protected override void Post(int count)
    {
        for (int i = 0; i < count; i++) _queue.Add(Payload.Of(i));
    }

    private void RunAll()
    {
        while (_queue.TryTake(out Payload payload)) Run(payload);
    }
}
