namespace PoolApi.HttpBenchmarks.Load;

/// <summary>A stream of requests at fixed times.</summary>
/// <param name="Target">What is requested.</param>
/// <param name="Rate">How many start each second.</param>
/// <param name="Duration">For how long.</param>
/// <param name="Patience">When a client gives up, and hangs up, after the planned start.</param>
internal sealed record LoadPlan(Target Target, double Rate, TimeSpan Duration, TimeSpan Patience)
{
    public int Count => (int)(Rate * Duration.TotalSeconds);

    public TimeSpan PlannedStart(int number) => TimeSpan.FromSeconds(number / Rate);
}
