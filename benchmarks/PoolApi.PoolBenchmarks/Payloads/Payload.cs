namespace PoolApi.PoolBenchmarks.Payloads;

/// <summary>What an item of its own carries: 32 bytes that the producer wrote and the worker reads.</summary>
internal readonly record struct Payload(long First, long Second, long Third, long Sum)
{
    public static Payload Of(long number) => new(number, ~number, number * 31, number ^ ~number ^ (number * 31));

    /// <summary>Reads all of it.</summary>
    /// <exception cref="InvalidOperationException">It is not what a producer wrote.</exception>
    public void Check()
    {
        if ((First ^ Second ^ Third ^ Sum) != 0) throw new InvalidOperationException("A worker has read what no producer wrote.");
    }
}
