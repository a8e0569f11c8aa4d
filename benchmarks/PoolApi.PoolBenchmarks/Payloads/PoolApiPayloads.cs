using PoolApi.PoolBenchmarks.Peers;
using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Payloads;

/// <summary>This pool: items that have the payload in them, and that each producer uses again (as <see cref="ReusedItemProducer"/> does).</summary>
internal sealed class PoolApiPayloads(int workers, int capacity) : PayloadPeer
{
    private readonly FixedThreadPool _pool = new(new FixedThreadPoolOptions
    {
        Name = "bench",
        Workers = workers,
        QueueCapacity = capacity,
    });

    public override void Dispose() => _pool.Dispose();

    protected override IProducer NewProducer() => new Producer(this);

    protected override void Post(int count) => throw new NotSupportedException(); // each producer has items of its own

    private sealed class Producer : IProducer
    {
        private const int Lookahead = 16; // as in ReusedItemProducer

        private readonly PoolApiPayloads _peer;
        private Item _last;

        public Producer(PoolApiPayloads peer)
        {
            _peer = peer;
            _last = new Item(peer);
            _last.NextInRing = _last;
        }

        public void Post(int count)
        {
            FixedThreadPool pool = _peer._pool;
            for (int i = 0; i < count; i++)
            {
                Item item = NextFree();
                item.Take(Payload.Of(i));
                while (!pool.TrySubmit(item))
                {
                    if (!pool.WaitForSpaceAsync().AsTask().GetAwaiter().GetResult()) throw new InvalidOperationException("The pool was closed.");
                }
            }
        }

        private Item NextFree()
        {
            Item item = _last.NextInRing!;
            for (int i = 0; i < Lookahead; i++)
            {
                if (item.IsFree) return _last = item;
                item = item.NextInRing!;
            }
            var made = new Item(_peer) { NextInRing = _last.NextInRing };
            _last.NextInRing = made;
            return _last = made;
        }
    }

    private sealed class Item : PoolWorkItem
    {
        private readonly PoolApiPayloads _peer;
        private Payload _payload;
        private volatile bool _isFree = true;

        public Item(PoolApiPayloads peer)
            : base(isTimed: false) => _peer = peer; // no peer measures an item's times

        /// <summary>The item that was posted after this one.</summary>
        public Item? NextInRing { get; set; }

        public bool IsFree => _isFree;

        public void Take(in Payload payload)
        {
            _payload = payload;
            _isFree = false;
        }

        protected override void Execute() => _peer.Run(_payload);

        protected override void OnEnded(WorkOutcome outcome, Exception? exception) => _isFree = true;
    }
}
