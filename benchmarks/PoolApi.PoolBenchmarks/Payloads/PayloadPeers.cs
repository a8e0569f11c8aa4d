using System.Collections.Concurrent;
using System.Threading.Channels;
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
