using PoolApi.Threading.Core.Atomics;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Threading.Tests.Monitoring;

/// <summary>The ring of the flight recorder, which always records what a worker does, in fixed memory.</summary>
public class RecordRingTests
{
    [Fact]
    public void The_rings_of_sixty_four_workers_in_two_pools_use_at_most_eight_megabytes()
    {
        // The most that 64 workers get: the 16 large rings of the process, and a small ring for each other worker.
        const long Large = 16 * 4096;
        const long Small = 48 * 1024;
        Assert.Equal(64, ItemRecord.Size);
        Assert.InRange((Large + Small) * ItemRecord.Size, 1, 8_000_000);

        using FixedThreadPool one = Pools.Make();
        using FixedThreadPool other = Pools.Make();
        int[] capacities = [.. Enumerable.Range(0, 64).Select(i => (i % 2 == 0 ? one : other).Core.Records.RingCapacity())];
        Assert.InRange(capacities.Sum(), 64 * 1024, Large + Small);
        Assert.All(capacities, static c => Assert.True(c is 1024 or 4096));
    }

    [Fact]
    public void A_pool_that_has_released_its_large_rings_takes_only_small_ones()
    {
        using FixedThreadPool pool = Pools.Make();
        pool.Core.Records.RingCapacity();
        for (int i = 0; i < 2; i++)
        {
            pool.Core.Records.Release();
            Assert.All(Enumerable.Range(0, 20), _ => Assert.Equal(1024, pool.Core.Records.RingCapacity()));
        }
    }

    [Fact]
    public void A_read_returns_the_number_of_entries_that_the_reader_has_missed()
    {
        var ring = new RecordRing<ProcessorOps, ArraySlots<int>, int>(new ArraySlots<int>(8), 8);
        int cursor = 0;
        var read = new List<int>();
        for (int i = 0; i < 5; i++) ring.Write(i);
        Assert.Equal(0, ring.Read(ref cursor, read));
        for (int i = 5; i < 25; i++) ring.Write(i);
        Assert.Equal(12, ring.Read(ref cursor, read));
        Assert.Equal(0, ring.Read(ref cursor, read));
        Assert.Equal([.. Enumerable.Range(0, 5), .. Enumerable.Range(17, 8)], read);
    }

    [Fact]
    public void A_reader_beside_a_writer_at_full_speed_reads_whole_entries_in_their_order()
    {
        const int Entries = 2_000_000;
        var ring = new RecordRing<ProcessorOps, ArraySlots<ItemRecord>, ItemRecord>(new ArraySlots<ItemRecord>(64), 64);
        var writer = new Thread(() =>
        {
            for (int i = 0; i < Entries; i++) ring.Write(new ItemRecord { Kind = "k", Started = i, Ended = -i, Count = i, Trace = ((ulong)i, ~(ulong)i) });
        });
        writer.Start();
        int cursor = 0;
        long seen = 0;
        var read = new List<ItemRecord>();
        while (cursor < Entries)
        {
            read.Clear();
            int from = cursor;
            int lost = ring.Read(ref cursor, read);
            long expected = from + lost;
            foreach (ItemRecord record in read)
            {
                Assert.Equal((expected, -expected, (int)expected), (record.Started, record.Ended, record.Count));
                Assert.Equal(((ulong)expected, ~(ulong)expected), record.Trace);
                expected++;
            }
            Assert.Equal(cursor, expected);
            seen += read.Count;
        }
        writer.Join();
        Assert.True(seen > 0);
    }

    [Fact]
    public void The_ring_still_works_when_its_counters_overflow()
    {
        var ring = new RecordRing<ProcessorOps, ArraySlots<int>, int>(new ArraySlots<int>(4), 4, int.MaxValue - 5);
        int cursor = int.MaxValue - 5;
        var read = new List<int>();
        for (int i = 0; i < 12; i++)
        {
            ring.Write(i);
            if (i % 3 == 2) Assert.Equal(0, ring.Read(ref cursor, read));
        }
        Assert.Equal(Enumerable.Range(0, 12), read);
        for (int i = 0; i < 10; i++) ring.Write(i);
        Assert.Equal(6, ring.Read(ref cursor, read));
    }
}
