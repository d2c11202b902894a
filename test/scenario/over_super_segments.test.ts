/**
 * Scenarios of sending once more, over links that cut super-segments: as the link cuts them they are what they always were.
 * Those of other files build none.
 */
import "./dsl/super_worlds.ts";
import "./1191_path_mtu.test.ts";
import "./2018_sack.test.ts";
import "./2883_dsack.test.ts";
import "./3042_limited_transmit.test.ts";
import "./3168_ecn.test.ts";
import "./3_4_sequence.test.ts";
import "./3_7_segmentation.test.ts";
import "./3_8_edges.test.ts";
import "./3_8_retransmission.test.ts";
import "./3_8_shrunk_window.test.ts";
import "./3_8_urgent.test.ts";
import "./3_8_window.test.ts";
import "./5681_congestion.test.ts";
import "./5681_recovery.test.ts";
import "./5682_frto.test.ts";
import "./6582_new_reno.test.ts";
import "./6675_sack.test.ts";
import "./6928_initial_window.test.ts";
import "./7323_timestamps.test.ts";
import "./8899_probing.test.ts";
import "./8985_rack.test.ts";
import "./8985_tlp.test.ts";
import "./9406_hystart.test.ts";
import "./9438_cubic.test.ts";
import "./9937_prr.test.ts";
import "./S55_silly_window.test.ts";
import "./S56_slow_start.test.ts";
import "./S59_urgent.test.ts";
import "./pacing.test.ts";
