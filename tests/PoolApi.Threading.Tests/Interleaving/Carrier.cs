namespace PoolApi.Threading.Tests.Interleaving;

/// <summary>
/// An operating system's thread that runs the threads of scenarios, one at a time and only while it holds the baton. When one has ended,
/// it goes on with one that has not started, without a switch.
/// </summary>
internal sealed class Carrier
{
    private readonly Schedule _schedule;
    private readonly Baton _baton = new();
    private readonly Thread _thread;

    public Carrier(Schedule schedule, int index, int core)
    {
        _schedule = schedule;
        _thread = new Thread(() => Main(core), 256 * 1024) { IsBackground = true, Name = $"explorer {core}.{index}" };
        _thread.UnsafeStart();
    }

    /// <summary>What it runs, or is about to.</summary>
    public VirtualThread? Runs { get; set; }

    public void Give() => _baton.Give();

    public void Await() => _baton.Await();

    public void Join() => _thread.Join();

    private void Main(int core)
    {
        Baton.KeepOnCore(core);
        while (true)
        {
            _baton.Await();
            if (_schedule.IsOver) return;
            for (VirtualThread? thread = Runs; thread is not null; thread = _schedule.PassOnAtEnd(thread)) Run(thread);
        }
    }

    private void Run(VirtualThread thread)
    {
        thread.Enter();
        try
        {
            _schedule.RunBody(thread);
        }
        catch (ScheduleAbortedException)
        {
            // Its failure is known already.
        }
#pragma warning disable CA1031 // whatever it is, it is the finding
        catch (Exception e)
#pragma warning restore CA1031
        {
            _schedule.Note($"{_schedule.NameOf(thread)} threw {e}");
        }
    }
}
