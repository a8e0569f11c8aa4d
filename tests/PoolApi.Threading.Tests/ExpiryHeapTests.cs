using CsCheck;
using PoolApi.Threading.Core.Queue;

namespace PoolApi.Threading.Tests;

/// <summary>The next to expire is on top, whatever comes and goes.</summary>
public class ExpiryHeapTests
{
    [Fact]
    public void The_top_is_the_first_to_expire_and_every_item_knows_its_place() =>
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
                        heap.Remove(gone); // it is not there any more
                        Assert.Equal(0, gone.ExpiryIndex);
                    }
                    Assert.Equal(items.Count == 0 ? null : items.Min(static i => i.ExpiresAt), heap.Top?.ExpiresAt);
                }
                Assert.Equal(Enumerable.Range(1, items.Count), items.Select(static i => i.ExpiryIndex).Order());
                // Emptied from the top, they come in their order.
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
}
