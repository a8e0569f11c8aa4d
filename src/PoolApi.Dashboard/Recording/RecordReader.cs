using PoolApi.Threading;
using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Dashboard.Recording;

/// <summary>Reads the records of a pool's workers.</summary>
internal sealed class RecordReader(FixedThreadPool pool)
{
    private PoolCore Core => pool.Core;

    /// <summary>Converts time stamps of the pool's clock.</summary>
    public PoolTime Time => new(Core);

    /// <summary>Adds the records since the last use of the cursor; with a new cursor, all that are still in the rings.</summary>
    /// <remarks>The order is by worker, the oldest record first; items that ended on no worker come last. Any thread may call it with its own cursor.</remarks>
    /// <param name="cursor">The position to read from. The method advances it.</param>
    /// <param name="into">The list to which the records are added.</param>
    /// <returns>The number of records that were overwritten before they were read.</returns>
    public int Read(RecordCursor cursor, List<RecordedItem> into)
    {
        string name = pool.Name;
        long lost = 0;
        List<ItemRecord> records = cursor.Buffer;
        foreach (Worker worker in Core.Workers.All)
        {
            records.Clear();
            lost += worker.Recorder.Read(ref cursor.Of(worker.Id), records);
            foreach (ItemRecord record in records) into.Add(new RecordedItem(name, worker.Id, record));
        }
        records.Clear();
        lost += Core.Records.ReadElsewhere(ref cursor.Elsewhere, records);
        foreach (ItemRecord record in records) into.Add(new RecordedItem(name, -1, record));
        records.Clear();
        return (int)Math.Min(lost, int.MaxValue);
    }
}

/// <summary>The position of one reader in each ring of a pool. Not thread-safe.</summary>
internal sealed class RecordCursor
{
    private int[] _workers = new int[8];

    internal int Elsewhere;

    internal List<ItemRecord> Buffer { get; } = [];

    internal ref int Of(int worker)
    {
        if (worker >= _workers.Length) Array.Resize(ref _workers, Math.Max(worker + 1, _workers.Length * 2));
        return ref _workers[worker];
    }
}
