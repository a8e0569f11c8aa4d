using System.Globalization;
using System.Text;

namespace PoolApi.Dashboard.Tests.Recording;

/// <content>Reads Perfetto's format: Protocol Buffers with interned texts. Fails on fields that the format does not have.</content>
internal sealed partial class DecodedTrace
{
    private DecodedTrace(byte[] trace)
    {
        var texts = new Dictionary<(int Field, ulong Id), string>();
        var open = new Dictionary<ulong, Stack<(string Name, ulong At, Dictionary<string, string> Args)>>();
        var counters = new Dictionary<ulong, string>();
        // A viewer sorts packets by time and keeps the order of packets of the same time.
        List<(ulong At, Fields Packet)> packets = [.. Fields.Of(trace).Messages(1).Select(static p => (p.NumberOr(8, 0), p))];
        Assert.Equal(1UL, packets[0].Packet.NumberOr(13, 0)); // SEQ_INCREMENTAL_STATE_CLEARED: there are no earlier texts
        foreach ((_, Fields packet) in packets)
        {
            packet.AssertOnly(8, 10, 11, 12, 13, 60);
            Assert.Equal(1UL, packet.Number(10));
            foreach (Fields interned in packet.Messages(12))
            {
                interned.AssertOnly(2, 3, 29);
                foreach (int field in (int[])[2, 3, 29])
                {
                    foreach (Fields entry in interned.Messages(field)) texts.Add((field, entry.Number(1)), entry.Text(2));
                }
            }
            foreach (Fields descriptor in packet.Messages(60)) AddTrack(descriptor, counters);
        }
        foreach ((ulong at, Fields packet) in packets.OrderBy(static p => p.At))
        {
            foreach (Fields e in packet.Messages(11)) Add(e, at, packet, texts, open, counters);
        }
        Assert.All(open.Values, Assert.Empty);
        Check();
    }

    public static DecodedTrace OfPerfetto(byte[] trace) => new(trace);

    private void AddTrack(Fields descriptor, Dictionary<ulong, string> counters)
    {
        descriptor.AssertOnly(1, 2, 3, 5, 8, 11, 12);
        ulong uuid = descriptor.Number(1);
        if (descriptor.Messages(3).SingleOrDefault() is { } process)
        {
            Assert.Equal(uuid >> 32, process.Number(1));
            _processes.Add((int)(uuid >> 32), process.Text(6));
        }
        else if (descriptor.Has(8))
        {
            counters.Add(uuid, descriptor.Text(2));
        }
        else
        {
            Assert.True(_processes.ContainsKey((int)(descriptor.Number(5) >> 32)));
            _tracks.Add(TrackOf(uuid), descriptor.Text(2));
        }
    }

    private void Add(
        Fields e, ulong at, Fields packet, Dictionary<(int Field, ulong Id), string> texts,
        Dictionary<ulong, Stack<(string Name, ulong At, Dictionary<string, string> Args)>> open, Dictionary<ulong, string> counters)
    {
        e.AssertOnly(4, 9, 10, 11, 30, 47, 48);
        Assert.Equal(2UL, packet.Number(13)); // SEQ_NEEDS_INCREMENTAL_STATE: it refers to texts
        ulong track = e.Number(11);
        (int process, int tid) = TrackOf(track);
        decimal microseconds = at / 1000m;
        if (!open.TryGetValue(track, out var slices)) open.Add(track, slices = new());
        foreach (ulong id in e.Numbers(47)) Starts.Add(new Flow((long)id, process, tid, microseconds));
        foreach (ulong id in e.Numbers(48)) Ends.Add(new Flow((long)id, process, tid, microseconds));
        switch (e.Number(9))
        {
            case 1:
                slices.Push((Name(), at, Arguments()));
                break;
            case 2:
                (string name, ulong since, Dictionary<string, string> args) = slices.Pop();
                Slices.Add(new Slice(process, tid, name, since / 1000m, microseconds, args));
                break;
            case 3 when track == 0:
                Dictionary<string, string> header = Arguments();
                Assert.Equal("trace", Name());
                To = DateTimeOffset.Parse(header["to"], CultureInfo.InvariantCulture);
                Origin = double.Parse(header["originUnixMs"], CultureInfo.InvariantCulture);
                break;
            case 3:
                Instants.Add((Name(), microseconds, Arguments()["reason"]));
                break;
            case 4:
                string[] line = counters[track].Split(": ");
                Counters.Add((line[0], microseconds, new() { [line[1]] = (long)e.Number(30) }));
                break;
            default:
                Assert.Fail($"type {e.Number(9)}");
                break;
        }

        string Name() => texts[(2, e.Number(10))];

        Dictionary<string, string> Arguments() => e.Messages(4).ToDictionary(a => texts[(3, a.Number(1))], a =>
        {
            a.AssertOnly(1, 2, 5, 6, 17);
            return a.Has(6) ? a.Text(6)
                : a.Has(17) ? texts[(29, a.Number(17))]
                : a.Has(2) ? (a.Number(2) == 1).ToString()
                : BitConverter.Int64BitsToDouble((long)a.Number(5)).ToString(CultureInfo.InvariantCulture);
        });
    }

    private static (int Process, int Track) TrackOf(ulong uuid) => ((int)(uuid >> 32), (int)(uint)uuid - 1);

    /// <summary>The fields of one message, as they stand on the wire.</summary>
    private sealed class Fields
    {
        private readonly List<(int Field, ulong Number, byte[]? Bytes)> _all = [];

        public static Fields Of(byte[] bytes)
        {
            var fields = new Fields();
            int at = 0;
            while (at < bytes.Length)
            {
                ulong tag = Varint();
                (int field, int type) = ((int)(tag >> 3), (int)(tag & 7));
                switch (type)
                {
                    case 0:
                        fields._all.Add((field, Varint(), null));
                        break;
                    case 1:
                        fields._all.Add((field, BitConverter.ToUInt64(bytes, at), null));
                        at += 8;
                        break;
                    case 2:
                        int length = (int)Varint();
                        fields._all.Add((field, 0, bytes[at..(at + length)]));
                        at += length;
                        break;
                    default:
                        Assert.Fail($"wire type {type}");
                        break;
                }
            }
            Assert.Equal(bytes.Length, at);
            return fields;

            ulong Varint()
            {
                ulong value = 0;
                for (int shift = 0; ; shift += 7)
                {
                    byte next = bytes[at++];
                    value |= (ulong)(next & 0x7F) << shift;
                    if (next < 0x80) return value;
                }
            }
        }

        public bool Has(int field) => _all.Exists(f => f.Field == field);

        public ulong Number(int field) => Assert.Single(Numbers(field));

        public ulong NumberOr(int field, ulong other) => Has(field) ? Number(field) : other;

        public IEnumerable<ulong> Numbers(int field) => _all.Where(f => f.Field == field).Select(static f => f.Number);

        public string Text(int field) => new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Assert.Single(_all, f => f.Field == field).Bytes!);

        public IEnumerable<Fields> Messages(int field) => _all.Where(f => f.Field == field).Select(static f => Of(f.Bytes!));

        public void AssertOnly(params int[] fields) => Assert.All(_all, f => Assert.Contains(f.Field, fields));
    }
}
