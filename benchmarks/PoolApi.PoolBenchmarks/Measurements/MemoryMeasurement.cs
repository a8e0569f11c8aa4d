using System.Globalization;
using PoolApi.PoolBenchmarks.Reporting;
using PoolApi.Threading;

namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>The memory of a queued item beyond the item itself.</summary>
internal sealed class MemoryMeasurement : IMeasurement
{
    private const int Items = 1_000_000;

    private const double BarBytes = 24;

    public string Name => "memory";

    public string Summary => $"{Items:N0} waiting items: bytes beyond the items themselves";

    public void Run(Settings settings, Report report)
    {
        // A warm-up, since the objects that the pool's code allocates at its first run do not belong to the items.
        Measure(settings, Items / 100);
        Figures figures = Measure(settings, Items);

        var table = new TextTable($"{Name}, {Items:N0} waiting items (B/item, less is better)", "", "managed heap", "process RSS");
        table.Add("the item itself", Figure(figures.ItemHeap), Figure(figures.ItemResident));
        table.Add("that it waits", Figure(figures.WaitingHeap), Figure(figures.WaitingResident));
        table.Print();
        report.Add(new Bar(
            $"memory, {Items:N0} waiting items", $"≤ {BarBytes:F0} B/item", Figure(figures.WaitingHeap), figures.WaitingHeap <= BarBytes));

        static string Figure(double value) => value.ToString("F1", CultureInfo.InvariantCulture);
    }

    private static Figures Measure(Settings settings, int count)
    {
        Memory empty = Memory.Now();
        var items = new NothingToDo[count];
        for (int i = 0; i < count; i++) items[i] = new NothingToDo();
        Memory made = Memory.Now();

        // From here on everything counts: the pool, its memory for the capacity, and what it adds for the items.
        using var release = new ManualResetEventSlim();
        using var pool = new FixedThreadPool(new FixedThreadPoolOptions
        {
            Name = "bench",
            Workers = settings.Workers,
            QueueCapacity = count,
            MaxQueueTime = TimeSpan.FromHours(1), // items may expire, as by default, but not during the measurement
        });
        Memory waiting;
        try
        {
            Occupy(pool, settings.Workers, release);
            foreach (NothingToDo item in items)
            {
                if (!pool.TrySubmit(item)) throw new InvalidOperationException("The pool refused an item.");
            }
            waiting = Memory.Now();
        }
        finally
        {
            release.Set(); // also after an exception, since disposing the pool waits for its workers
        }

        GC.KeepAlive(items);
        // The array of the items is not part of an item. It has eight bytes per element.
        return new(
            ((made.Heap - empty.Heap) / (double)count) - IntPtr.Size,
            ((made.Resident - empty.Resident) / (double)count) - IntPtr.Size,
            (waiting.Heap - made.Heap) / (double)count,
            (waiting.Resident - made.Resident) / (double)count);
    }

    /// <summary>Gives every worker blocking work, and returns once all workers run it.</summary>
    private static void Occupy(FixedThreadPool pool, int workers, ManualResetEventSlim release)
    {
        using var occupied = new CountdownEvent(workers);
        for (int i = 0; i < workers; i++)
        {
            if (!pool.TrySubmit(new Occupation(occupied, release)))
                throw new InvalidOperationException("The pool refused an item.");
        }
        occupied.Wait();
    }

    private sealed class NothingToDo : PoolWorkItem
    {
        protected override void Execute() { }
    }

    private sealed class Occupation(CountdownEvent occupied, ManualResetEventSlim release) : PoolWorkItem
    {
        protected override void Execute()
        {
            occupied.Signal();
            release.Wait();
        }
    }

    private readonly record struct Memory(long Heap, long Resident)
    {
        public static Memory Now()
        {
            PoolBenchmarks.Measurements.Heap.Settle();
            return new(GC.GetTotalMemory(forceFullCollection: true), Environment.WorkingSet);
        }
    }

    private readonly record struct Figures(double ItemHeap, double ItemResident, double WaitingHeap, double WaitingResident);
}
