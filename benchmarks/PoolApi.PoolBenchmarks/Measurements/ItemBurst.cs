using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>A fixed set of items, submitted all at once and waited for, again and again.</summary>
internal sealed class ItemBurst
{
    private readonly FixedThreadPool _pool;
    private readonly Item[] _items;
    private readonly Signal _ended = new();
    private int _left;

    public ItemBurst(FixedThreadPool pool, int items)
    {
        _pool = pool;
        _items = new Item[items];
        for (int i = 0; i < items; i++) _items[i] = new Item(this);
    }

    public void Run()
    {
        _left = _items.Length;
        _ended.Reset();
        foreach (Item item in _items)
        {
            if (!_pool.TrySubmit(item)) throw new InvalidOperationException("The pool refused an item.");
        }
        _ended.Wait();
    }

    private sealed class Item(ItemBurst burst) : PoolWorkItem
    {
        protected override void Execute() { }

        // Here and not in Execute, since only from here on the item may be submitted again.
        protected override void OnEnded(WorkOutcome outcome, Exception? exception)
        {
            if (Interlocked.Decrement(ref burst._left) == 0) burst._ended.Set();
        }
    }
}
