using YamlDotNet.Serialization;
using Section = System.Collections.Generic.Dictionary<object, object>;

namespace PoolApi.Deploy.Tests;

/// <summary>Each alert states what has happened and where to look first.</summary>
public sealed class AlertRuleTests
{
    [Fact]
    public void Each_alert_has_a_severity_a_summary_and_a_runbook()
    {
        string file = Path.Combine(Repository.Root, "deploy", "prometheus", "rules", "poolapi.yml");
        var rules = new DeserializerBuilder().Build().Deserialize<Section>(File.ReadAllText(file));
        Section[] alerts =
        [
            .. ((List<object>)rules["groups"]).Cast<Section>().SelectMany(static group => ((List<object>)group["rules"]).Cast<Section>())
                .Where(static rule => rule.ContainsKey("alert")),
        ];
        Assert.True(alerts.Length > 10, $"{alerts.Length} alerts were found");
        Assert.All(alerts, static alert =>
        {
            var annotations = (Section)alert["annotations"];
            Assert.Contains((string)((Section)alert["labels"])["severity"], (string[])["page", "warn"]);
            Assert.NotEqual("", annotations["summary"]);
            Assert.Matches(@"^\w.{20,}\.$", (string)annotations["runbook"]); // a sentence
        });
    }
}
