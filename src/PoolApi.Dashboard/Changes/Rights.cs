using System.Text.Json;
using PoolApi.Dashboard.Streams;

namespace PoolApi.Dashboard.Changes;

/// <summary>What the user may change, so that the page shows only buttons that work.</summary>
internal sealed class Rights(PoolDashboardOptions options) : IFeedPart
{
    public long Version => 0;

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject("can");
        json.WriteBoolean("change", !options.ReadOnly);
        json.WriteMaybe("why", options.ReadOnly ? "This dashboard only shows." : null);
        json.WriteBoolean("drain", options.AllowDrain && !options.ReadOnly);
        json.WriteBoolean("trace", true);
        json.WriteEndObject();
        json.WriteStartArray("work");
        foreach (PoolDashboardWork work in options.ReadOnly ? [] : options.Work)
        {
            json.WriteStartObject();
            json.WriteString("name", work.Name);
            json.WriteString("label", work.Label);
            json.WriteMaybe("description", work.Description);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
