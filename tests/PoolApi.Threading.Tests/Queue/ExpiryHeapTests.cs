using CsCheck;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests.Queue;

/// <summary>The item that expires next is on top of the heap, after any sequence of additions and removals.</summary>
public class ExpiryHeapTests
{
    [Fact]
    public void The_top_of_the_heap_expires_first_and_each_item_stores_its_index() =>
        Gen.Select(Gen.Int[0, 3], Gen.Int[0, 1000]).List[1, 200].Sample(
            static steps =>
            {
                var heap = new ExpiryHeap();
                var items = new List<TestItem>();
                foreach ((int kind, int number) in steps)
                {
                    if (kind < 3 || items.Count == 0)
                    {
                        items.Add(new TestItem { ExpiresAt = number });
                        heap.Add(items[^1]);
                    }
                    else
                    {
                        TestItem gone = items[number % items.Count];
                        items.Remove(gone);
                        heap.Remove(gone);
                        heap.Remove(gone); // a second removal changes nothing
                        Assert.Equal(0, gone.ExpiryIndex);
                    }
                    Assert.Equal(items.Count == 0 ? null : items.Min(static i => i.ExpiresAt), heap.Top?.ExpiresAt);
                }
                Assert.Equal(Enumerable.Range(1, items.Count), items.Select(static i => i.ExpiryIndex).Order());
                // Emptied from the top, the heap returns the items in the order of their expiry.
                long last = long.MinValue;
                while (heap.Top is { } top)
                {
                    Assert.InRange(top.ExpiresAt, last, long.MaxValue);
                    last = top.ExpiresAt;
                    heap.Remove(top);
                    items.Remove((TestItem)top);
                }
                Assert.Empty(items);
            },
            iter: 500,
            threads: 1);

    [Fact]
    public void Without_memory_the_heap_does_not_add_an_item_and_keeps_the_others_in_order()
    {
        bool hasMemory = true;
#pragma warning disable CA2201 // the exception that the runtime throws
        var heap = new ExpiryHeap(() =>
        {
            if (!hasMemory) throw new OutOfMemoryException("on purpose");
        });
#pragma warning restore CA2201
        TestItem[] items = [.. Enumerable.Range(0, 1200).Select(static i => new TestItem { ExpiresAt = (i * 7) % 1200, ExpiryIndex = -1 })];
        foreach (TestItem item in items[..15]) heap.Add(item);
        hasMemory = false;
        foreach (TestItem item in items[15..])
        {
            heap.Add(item);
            Assert.Equal(0, item.ExpiryIndex);
            heap.Remove(item); // as the pool does when the item ends
        }
        Assert.Equal(Enumerable.Range(1, 15), items[..15].Select(static i => i.ExpiryIndex).Order());
        hasMemory = true;
        foreach (TestItem item in items[15..]) heap.Add(item);
        hasMemory = false; // the heap cannot shrink either
        long last = long.MinValue;
        for (int left = items.Length; left > 0; left--)
        {
            PoolWorkItem top = heap.Top!;
            Assert.InRange(top.ExpiresAt, last, long.MaxValue);
            last = top.ExpiresAt;
            heap.Remove(top);
        }
        Assert.Null(heap.Top);
    }
}
