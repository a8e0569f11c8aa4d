using System.Collections.Concurrent;
using static PoolApi.TestKit.Patience;

namespace PoolApi.Jobs.Tests;

/// <summary>A later job has the greater id.</summary>
public sealed class JobIdTests
{
    [Fact]
    public async Task Ids_grow_on_each_thread_and_never_repeat_across_threads()
    {
        const int Each = 20_000;
        var all = new ConcurrentBag<Guid[]>();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => all.Add([.. Enumerable.Range(0, Each).Select(static _ => Jobs.New().Id)]), Token)));

        Assert.All(all, static ids => Assert.Equal(ids.Order(), ids));
        Assert.Equal(4 * Each, all.SelectMany(static ids => ids).Distinct().Count());
    }

    [Fact]
    public void An_id_is_a_UUID_of_version_7_with_the_time_in_it()
    {
        long before = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        byte[] id = Jobs.New().Id.ToByteArray(bigEndian: true);

        long time = Convert.ToInt64(Convert.ToHexString(id.AsSpan(0, 6)), 16);
        // A process that makes many ids at once runs ahead of the clock, by a quarter of a microsecond for each.
        Assert.InRange(time, before, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() + 100);
        Assert.Equal((7, 2), (id[6] >> 4, id[8] >> 6));
    }
}
