namespace PoolApi.PoolBenchmarks.Measurements;

/// <summary>Every measurement, in the order in which they are made.</summary>
internal static class MeasurementCatalogue
{
    public static readonly IReadOnlyList<IMeasurement> All =
    [
        new FloodMeasurement(),
        new OwnItemsMeasurement(),
        new MetricsMeasurement(),
        new RunLimitMeasurement(),
        new RecorderMeasurement(),
        new BoundedMeasurement(),
        new RoundTripMeasurement(),
        new WakeMeasurement(),
        new AllocationMeasurement(),
        new ProducersMeasurement(),
        new IdleMeasurement(),
        new MemoryMeasurement(),
    ];
}
