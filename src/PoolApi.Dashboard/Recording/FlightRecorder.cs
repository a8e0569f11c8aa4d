using PoolApi.Threading;
using PoolApi.Threading.Core;
using PoolApi.Threading.Core.Recording;

namespace PoolApi.Dashboard.Recording;

/// <summary>Reads what the workers of a pool have written down.</summary>
internal sealed class FlightRecorder(FixedThreadPool pool)
{
    private PoolCore Core => pool.Core;

    /// <summary>The pool's clock, for the conversion of time stamps.</summary>
    public PoolTime Time => new(Core);

    /// <summary>Adds what has been recorded since the cursor was used last; for a new one, all that is remembered.</summary>
    /// <remarks>Worker by worker, in each the oldest first; what ended on no worker last. By any thread, with a cursor of its own.</remarks>
    /// <param name="cursor">Where to go on; advanced.</param>
    /// <param name="into">Where to add.</param>
    /// <returns>How many records had been overwritten meanwhile. For a new cursor that says how many there ever were.</returns>
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

/// <summary>How far a reader has come in each ring of a pool. For one reader at a time.</summary>
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
