using System.Text.Json;
using PoolApi.Dashboard.History;

namespace PoolApi.Dashboard.Streams;

/// <summary>Writes a sample as JSON for the charts. Counts become rates per second.</summary>
internal static class SampleJson
{
    public static void Write(Utf8JsonWriter json, PoolSample sample, int capacity)
    {
        double seconds = sample.Seconds > 0 ? sample.Seconds : 1;
        json.WriteStartObject();
        json.WriteNumber("at", sample.At);
        json.WriteNumber("utilization", Math.Round(sample.Utilization, 4));
        json.WriteNumber("workers", sample.Workers);
        json.WriteNumber("stuck", sample.Stuck);
        json.WriteNumber("queue", sample.QueueHigh + sample.QueueNormal + sample.QueueLow);
        json.WriteNumber("capacity", capacity);
        json.WriteNumber("queueHigh", sample.QueueHigh);
        json.WriteNumber("queueNormal", sample.QueueNormal);
        json.WriteNumber("queueLow", sample.QueueLow);
        if (sample.OldestAgeMs > 0) json.WriteMilliseconds("oldestMs", sample.OldestAgeMs);
        else json.WriteNull("oldestMs");
        json.WriteNumber("suspended", sample.Suspended);
        json.WriteNumber("bytes", sample.BodyBytes);
        Rate("accepted", sample.Accepted);
        json.WriteStartObject("finished");
        FinishedCounts f = sample.Finished;
        RateIfAny("completed", f.Completed);
        RateIfAny("failed", f.Failed);
        RateIfAny("cancelled", f.Cancelled);
        RateIfAny("expired", f.Expired);
        RateIfAny("clientGone", f.ClientGone);
        RateIfAny("notStarted", f.NotStarted);
        RateIfAny("abandoned", f.Abandoned);
        RateIfAny("timedOut", f.TimedOut);
        json.WriteEndObject();
        json.WriteStartObject("refused");
        foreach ((string reason, long count) in sample.Refused) RateIfAny(reason, count);
        json.WriteEndObject();
        Times("waiting", static kind => kind.Waiting);
        Times("running", static kind => kind.Running);
        json.WriteEndObject();

        void Rate(string name, long count) => json.WriteNumber(name, Math.Round(count / seconds, 3));

        void RateIfAny(string name, long count)
        {
            if (count != 0) Rate(name, count);
        }

        void Times(string name, Func<KindSample, Percentiles?> side)
        {
            json.WriteStartObject(name);
            foreach (KindSample kind in sample.Kinds)
            {
                if (side(kind) is not { } p) continue;
                json.WriteStartObject(kind.Kind);
                json.WriteMilliseconds("p50", p.P50);
                json.WriteMilliseconds("p95", p.P95);
                json.WriteMilliseconds("p99", p.P99);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
    }
}
