namespace PoolApi.HttpBenchmarks.Load;

/// <summary>A stream of requests at fixed times.</summary>
/// <param name="Target">What is requested.</param>
/// <param name="Rate">The number of requests that start per second.</param>
/// <param name="Duration">For how long.</param>
/// <param name="Patience">The time after the planned start at which a client gives up and disconnects.</param>
internal sealed record LoadPlan(Target Target, double Rate, TimeSpan Duration, TimeSpan Patience)
{
    public int Count => (int)(Rate * Duration.TotalSeconds);

    public TimeSpan PlannedStart(int number) => TimeSpan.FromSeconds(number / Rate);
}
